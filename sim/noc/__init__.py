"""Networks-on-chip by themselves: synthetic traffic through virtual-channel routers."""
