# Splits the measurements into prepared/train.csv and prepared/test.csv, both scaled to -1..1 by what the training part knows.

# Park and Miller's generator: every awk draws the same numbers from it, which rand() does not promise.
function draw() { state = (state * 16807) % 2147483647; return state / 2147483647 }

BEGIN { FS = "," }

FNR == 1 { state = P["prepare.seed"] * 7919 + 1; for (i = 0; i < 10; i++) draw(); next }

{
    n++
    for (i = 1; i <= 4; i++) cell[n, i] = $i + 0
    held_back[n] = (draw() < P["prepare.test_share"])
    if (held_back[n]) next
    for (i = 1; i <= 3; i++) {
        if (!known || cell[n, i] < low[i]) low[i] = cell[n, i]
        if (!known || cell[n, i] > high[i]) high[i] = cell[n, i]
    }
    known++
}

END {
    if (known < 2 || known == n) { print "prepare: test_share leaves one part empty" > "/dev/stderr"; exit 1 }
    for (row = 1; row <= n; row++) {
        file = "prepared/train.csv"
        if (held_back[row]) file = "prepared/test.csv"
        for (i = 1; i <= 3; i++) printf "%.6f,", 2 * (cell[row, i] - low[i]) / (high[i] - low[i]) - 1 > file
        print cell[row, 4] > file
    }
}
