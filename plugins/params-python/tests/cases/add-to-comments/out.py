# nothing yet
A = 1
