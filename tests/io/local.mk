unit_tests += tests/io/test_line tests/io/test_address tests/io/test_sock tests/io/test_stream
valgrind_tests += tests/io/test_line tests/io/test_address tests/io/test_stream

tests_io_test_sock_SOURCES = tests/io/test_sock.c tests/io/sock-kit.h
tests_io_test_stream_SOURCES = tests/io/test_stream.c tests/io/sock-kit.h \
    tests/support/mock-stream.c tests/support/mock-stream.h
