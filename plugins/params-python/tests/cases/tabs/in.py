class A:
	x = 1
	def __init__(self):
		self.y=2
