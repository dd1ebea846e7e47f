A = r"C:\data"
B = """two
lines"""
C = f''
D = u'x'
