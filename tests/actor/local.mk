check_PROGRAMS += tests/actor/inner_stop
tests_actor_inner_stop_LDADD = libtroupe-internal.la
script_tests += tests/actor/stop.sh
