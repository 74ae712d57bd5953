check_PROGRAMS += tests/actor/inner_stop
tests_actor_inner_stop_LDADD = libtroupe-internal.la
unit_tests += tests/actor/test_shutdown tests/actor/test_signal tests/actor/test_stall
valgrind_tests += tests/actor/test_signal
script_tests += tests/actor/stop.sh
unit_tests += tests/actor/test_handler tests/actor/test_handler_timer tests/actor/test_handler_many
unit_tests += tests/actor/test_fork tests/actor/test_runtime tests/actor/test_supervise
