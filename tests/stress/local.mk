# stress_tests += tests/stress/stress_x, and tests_stress_stress_x_LDADD = $(LDADD_STRESS)

stress_tests += tests/stress/stress_sock
tests_stress_stress_sock_LDADD = $(LDADD_STRESS)
