"""How clusters are found and get classes. Arrays in, arrays out."""
