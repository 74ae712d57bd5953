unit_tests += tests/reactor/test_epoll tests/reactor/test_sim tests/reactor/test_sim_net
valgrind_tests += tests/reactor/test_sim
