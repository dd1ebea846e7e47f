größe = 1
name = "日本"
z = 2
