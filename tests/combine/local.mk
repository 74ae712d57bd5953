# unit_tests += tests/combine/test_x
