unit_tests += tests/io/test_line tests/io/test_address tests/io/test_sock tests/io/test_stream \
    tests/io/test_tcp tests/io/test_wait tests/io/test_serve tests/io/test_balance \
    tests/io/test_fork_sock
valgrind_tests += tests/io/test_line tests/io/test_address tests/io/test_stream

tests_io_test_sock_SOURCES = tests/io/test_sock.c tests/io/sock-kit.h
tests_io_test_fork_sock_SOURCES = tests/io/test_fork_sock.c tests/io/sock-kit.h
tests_io_test_tcp_SOURCES = tests/io/test_tcp.c tests/io/sock-kit.h
tests_io_test_serve_SOURCES = tests/io/test_serve.c tests/io/sock-kit.h
tests_io_test_wait_SOURCES = tests/io/test_wait.c tests/io/sock-kit.h
tests_io_test_balance_SOURCES = tests/io/test_balance.c tests/io/sock-kit.h
tests_io_test_stream_SOURCES = tests/io/test_stream.c tests/io/sock-kit.h \
    tests/support/mock-stream.c tests/support/mock-stream.h
