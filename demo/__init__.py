"""The demo behind `script/run`: a node, a real Home Assistant and one spoken command between them."""
