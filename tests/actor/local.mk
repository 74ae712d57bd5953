# unit_tests += tests/actor/test_x
