class A:
    """About."""

    def f(self):
        pass
