größe = 2
name = "日本"
z = 3
