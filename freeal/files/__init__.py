"""Files that are complete or absent, and opening what strangers dropped."""
