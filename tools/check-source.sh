#!/bin/sh
# SPDX-License-Identifier: MIT
# What every source must hold to: its licence line, config.h first, and public headers that need
# neither config.h nor liburcu.
set -eu
cd "${top_srcdir:-$(dirname "$0")/..}"
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

sources()
{
    find "$@" -type f \( -name '*.c' -o -name '*.h' -o -name '*.S' -o -name '*.cc' \)
}

no_spdx()
{
    sources lib include tests examples bench | while read -r f; do
        head -n 1 "$f" | grep -qF '/* SPDX-License-Identifier: MIT */' || echo "$f"
    done
}

# The public headers, the examples and tests/headers are read without config.h, as a user would.
no_config_h()
{
    find lib tests bench -name '*.c' ! -path 'tests/headers/*' | while read -r f; do
        [ "$(grep -m 1 '^ *# *include' "$f")" = '#include "config.h"' ] || echo "$f"
    done
}

# including PATTERN FOLDER...: the lines that include a header whose name begins so
including()
{
    pattern="^ *# *include *[\"<]($1)"
    shift
    grep -rnE "$pattern" "$@" || :
}

echo 1..4
report "every source starts with its SPDX line" "$(no_spdx)"
report "every .c includes config.h first" "$(no_config_h)"
report "no public header includes config.h or liburcu" "$(including 'config\.h|urcu' include)"
report "only lib/base/rcu.h includes liburcu, and what measures against it" \
    "$(including urcu lib tests bench examples | grep -v -e '^lib/base/rcu\.h:' -e '^bench/queues\.c:')"
