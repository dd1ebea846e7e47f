# Reads params.yaml, the first file of a command, into P["section.name"]. Two levels are all that it needs.
FILENAME == "params.yaml" {
    sub(/#.*/, "")
    words = split($0, word, " ")
    sub(/:.*/, "", word[1])
    if ($0 ~ /^[a-z]/) section = word[1]
    else if (words > 1) P[section "." word[1]] = word[2] + 0
    next
}
