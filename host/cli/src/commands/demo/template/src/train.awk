# Fits weights by gradient descent so that their sum is 1 for machines that failed and -1 for the others. Prints the model:
# its degree, then one weight a line. Writes loss.csv.

BEGIN { FS = "," }

{
    n++
    count = 0
    x[n, ++count] = 1
    for (i = 1; i <= 3; i++) x[n, ++count] = $i
    if (P["train.degree"] >= 2)
        for (i = 1; i <= 3; i++)
            for (j = i; j <= 3; j++) x[n, ++count] = $i * $j
    target[n] = 2 * $4 - 1
}

END {
    print "epoch,loss" > "loss.csv"
    for (epoch = 1; epoch <= P["train.epochs"]; epoch++) {
        loss = 0
        for (i = 1; i <= count; i++) gradient[i] = 0
        for (row = 1; row <= n; row++) {
            miss = -target[row]
            for (i = 1; i <= count; i++) miss += weight[i] * x[row, i]
            loss += miss * miss
            for (i = 1; i <= count; i++) gradient[i] += miss * x[row, i]
        }
        if (loss / n > 1000) { print "train: the loss grows without end; try a smaller learning_rate" > "/dev/stderr"; exit 1 }
        for (i = 1; i <= count; i++) weight[i] -= P["train.learning_rate"] * (gradient[i] / n + P["train.l2"] * weight[i])
        printf "%d,%.6f\n", epoch, loss / n > "loss.csv"
    }
    print (P["train.degree"] >= 2 ? 2 : 1)
    for (i = 1; i <= count; i++) printf "%.8f\n", weight[i]
}
