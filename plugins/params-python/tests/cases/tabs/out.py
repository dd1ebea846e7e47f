class A:
	x = 1
	z = 3
	def __init__(self):
		self.y=4
