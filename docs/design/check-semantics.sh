#!/bin/sh
# SPDX-License-Identifier: MIT
# semantics.md is true: no number is there twice, each has its proof, its reason or is listed as open,
# and each test that is named is in its source and in a program that make check runs.
set -eu
cd "${top_srcdir:-$(dirname "$0")/../..}"
page=docs/design/semantics.md
n=0

# report NAME BAD: the test passes if there is nothing bad
report()
{
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "$2" | sed 's/^/#   /'
        echo "not ok $n - $1"
    fi
}

# Each number of the page, with what it has: "proven", "different", "open", or "nothing".
numbers()
{
    awk -F ' *[|] *' '
    /^## / { open = $0 == "## Open" }
    /^\| [A-Z]+-[0-9]+ \|/ {
        print $2, $4 ~ /^different on purpose: ./ ? "different" : $4 ~ /^`tests\// ? "proven" : "nothing"
    }
    open && /^- [A-Z]+-[0-9]+: ./ { sub(/^- /, ""); sub(/:.*/, ""); print $0, "open" }' "$page"
}

# The tests it names: "path suite::name", or "path" alone.
named()
{
    grep -oE '`tests/[a-z_0-9/]*\.c[^`]*`' "$page" | tr -d '`' | sort -u | sed 's/\.c:/.c /'
}

# The programs in unit_tests, unit_tests_no_tsan and stress_tests, which make check runs.
programs()
{
    cat tests/local.mk tests/*/local.mk | awk '
    { sub(/#.*/, "") }
    sub(/\\$/, "") { line = line $0 " "; next }
    { line = line $0 }
    match(line, /^[a-z_]+ *[+]?= */) {
        name = substr(line, 1, RLENGTH)
        sub(/ *[+]?= *$/, "", name)
        value[name] = value[name] " " substr(line, RLENGTH + 1)
    }
    { line = "" }
    function print_all(name, words, i, count)
    {
        count = split(value[name], words)
        for (i = 1; i <= count; i++)
            if (words[i] ~ /^[$][(]/)
                print_all(substr(words[i], 3, length(words[i]) - 3))
            else
                print words[i]
    }
    END { print_all("unit_tests"); print_all("unit_tests_no_tsan"); print_all("stress_tests") }'
}

# Every test in the sources, as named() prints it.
tests_there()
{
    find tests -name '*.c' -exec sed -n -E \
        's/^[A-Z]+_TEST\(([a-z_0-9]+), *([a-zA-Z_0-9]+).*/\1::\2/; t found; b; :found; F; p' {} + |
        paste -d ' ' - -
    find tests/stress -name '*.c'
}

# Those of standard input that are not among the lines of $1.
not_in()
{
    awk -v all="$1" 'BEGIN { n = split(all, line, "\n"); for (i = 1; i <= n; i++) there[line[i]] = 1 }
        !($0 in there)'
}

count()
{
    numbers | grep -c " $1\$" || :
}

report "there are numbers, and tests" \
    "$({ numbers | grep -m 1 ' proven$' && named | grep -m 1 ::; } >/dev/null || echo none)"
report "no number is there twice" "$(numbers | cut -d ' ' -f 1 | sort | uniq -d)"
report "each number has a test, a reason, or is open" "$(numbers | grep ' nothing$' || :)"
report "each test that is named is there" "$(named | not_in "$(tests_there)")"
report "make check runs each program that is named" \
    "$(named | sed 's/\.c.*//' | sort -u | not_in "$(programs)")"
echo "# $(count proven) proven, $(count different) different on purpose, $(count open) open"
echo "1..$n"
