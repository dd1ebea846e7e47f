A = "D:\\new"
B = "one"
C = f''
D = 'y'
