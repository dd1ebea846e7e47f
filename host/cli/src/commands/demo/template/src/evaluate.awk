# Asks the model about machines that it has not seen. accuracy: the share of right answers; found: the share of the failures
# that it saw coming; loss: how far it was off.

BEGIN { FS = "," }

FILENAME == "model.csv" { if (FNR == 1) degree = $1; else weight[++count] = $1; next }

{
    n++
    score = weight[1]
    for (i = 1; i <= 3; i++) score += weight[i + 1] * $i
    k = 4
    if (degree >= 2)
        for (i = 1; i <= 3; i++)
            for (j = i; j <= 3; j++) score += weight[++k] * $i * $j
    miss = score - (2 * $4 - 1)
    loss += miss * miss
    answer = (score > 0)
    if (answer == $4) right++
    if ($4 == 1) { failed++; if (answer) found++ }
}

END {
    if (!failed) { print "evaluate: no machine of the test failed; there is nothing to find" > "/dev/stderr"; exit 1 }
    printf "{\n  \"accuracy\": %.4f,\n  \"found\": %.4f,\n  \"loss\": %.4f\n}\n", right / n, found / failed, loss / n
}
