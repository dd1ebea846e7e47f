class A:
    """About."""
    x = 1

    def f(self):
        pass
