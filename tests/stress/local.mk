# stress_tests += tests/stress/stress_x, and tests_stress_stress_x_LDADD = $(LDADD_STRESS)

stress_tests += tests/stress/sock
tests_stress_sock_LDADD = $(LDADD_STRESS)
stress_tests += tests/stress/ask_cycle
tests_stress_ask_cycle_LDADD = $(LDADD_STRESS)
stress_tests += tests/stress/ask tests/stress/mpsc tests/stress/oneshot tests/stress/watch
tests_stress_ask_LDADD = $(LDADD_STRESS)
tests_stress_mpsc_LDADD = $(LDADD_STRESS)
tests_stress_oneshot_LDADD = $(LDADD_STRESS)
tests_stress_watch_LDADD = $(LDADD_STRESS)
EXTRA_DIST += tests/stress/stress.h tests/stress/users.h
stress_tests += tests/stress/deque tests/stress/inbox tests/stress/wake
tests_stress_deque_LDADD = $(LDADD_STRESS)
tests_stress_inbox_LDADD = $(LDADD_STRESS)
tests_stress_wake_LDADD = $(LDADD_STRESS)
stress_tests += tests/stress/notify tests/stress/rwlock tests/stress/semaphore
tests_stress_notify_LDADD = $(LDADD_STRESS)
tests_stress_rwlock_LDADD = $(LDADD_STRESS)
tests_stress_semaphore_LDADD = $(LDADD_STRESS)
stress_tests += tests/stress/broadcast
tests_stress_broadcast_LDADD = $(LDADD_STRESS)
