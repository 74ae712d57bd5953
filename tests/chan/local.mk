# unit_tests += tests/chan/test_x
