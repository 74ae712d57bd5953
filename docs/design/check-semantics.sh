#!/bin/sh
# SPDX-License-Identifier: MIT
# semantics.md is true: no number is there twice, each has its proof, its reason or is listed as open,
# and each test that is named is in its source and in a program that make check runs. Within make
# check, where it comes after the others, each of them has run and passed.
set -eu
cd "${top_srcdir:-$(dirname "$0")/../..}"
: "${TR_TEST_LOGS:=}" "${TR_COMPLETE:=}" "${TR_SANITIZER:=}" # see tests/local.mk
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
    /^\| [A-Z]+-D?[0-9]+ \|/ {
        print $2, $4 ~ /^different on purpose: ./ ? "different" : $4 ~ /^`tests\// ? "proven" : "nothing"
    }
    open && /^- [A-Z]+-D?[0-9]+: ./ { sub(/^- /, ""); sub(/:.*/, ""); print $0, "open" }' "$page"
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

# The programs that are named and whose logs, of this make check, are those of $TR_TEST_LOGS; or, with
# "not", the others that it should have run.
logged()
{
    named | sed 's/\.c.*//' | sort -u | awk -v logs="$TR_TEST_LOGS" -v other="${1:-}" '
        BEGIN { n = split(logs, log_, " "); for (i = 1; i <= n; i++) there[log_[i]] = 1 }
        (($0 ".log") in there) != (other == "not")'
}

# What has run and passed of the programs in $TR_TEST_LOGS, as named() prints it.
passed()
{
    for program in $(logged); do
        grep -q '^:test-result: PASS' "$top_builddir/$program.trs" &&
            ! grep -qE '^:test-result: (FAIL|ERROR|XPASS)' "$top_builddir/$program.trs" &&
            echo "$program.c"
        sed -n -E "/# *SKIP/d; s|^ok( [0-9]+)? - ([a-z_0-9]+::[a-zA-Z_0-9]+)( .*)?\$|$program.c \\2|p" \
            "$top_builddir/$program.log"
    done
}

# Of $1, "statements" or "notes", how many are $2.
count()
{
    if [ "$1" = notes ]; then
        numbers | grep -cE -- "-D[0-9]+ $2\$" || :
    else
        numbers | grep -cE -- "-[0-9]+ $2\$" || :
    fi
}

counts()
{
    echo "$(count "$1" proven) proven, $(count "$1" different) different on purpose, $(count "$1" open) open"
}

report "there are numbers, and tests" \
    "$({ numbers | grep -m 1 ' proven$' && named | grep -m 1 ::; } >/dev/null || echo none)"
report "no number is there twice" "$(numbers | cut -d ' ' -f 1 | sort | uniq -d)"
report "each number has a test, a reason, or is open" "$(numbers | grep ' nothing$' || :)"
report "each test that is named is there" "$(named | not_in "$(tests_there)")"
report "make check runs each program that is named" \
    "$(named | sed 's/\.c.*//' | sort -u | not_in "$(programs)")"

if [ -z "$TR_TEST_LOGS" ]; then
    report "each test that is named has run and passed # SKIP not within make check" ""
else
    here=$(logged)
    wanted=$(named | awk -v here="$here" '
        BEGIN { n = split(here, program, "\n"); for (i = 1; i <= n; i++) there[program[i] ".c"] = 1 }
        $1 in there')
    report "each test that is named has run and passed" "$(echo "$wanted" | not_in "$(passed)")"
    echo "# $(echo "$wanted" | grep -c .) tests of $(echo "$here" | grep -c .) programs had to"
fi
# Under ThreadSanitizer some programs cannot run, and whoever calls for a few tests gets these.
if [ "$TR_COMPLETE" = yes ] && [ "$TR_SANITIZER" != thread ]; then
    report "each program that is named has run" "$(logged not)"
fi
echo "# statements: $(counts statements)"
echo "# notes on design: $(counts notes)"
echo "1..$n"
