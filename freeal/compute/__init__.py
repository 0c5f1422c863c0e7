"""Where tensors are computed: the device and whose turn it is there, threads, memory, and who hears how far it is."""
