dnl SPDX-License-Identifier: MIT
dnl
dnl TR_APPEND_CFLAGS(VARIABLE, FLAGS): appends to VARIABLE each flag that the compiler takes without
dnl a word. -Werror makes clang refuse what it would only warn of.
AC_DEFUN([TR_APPEND_CFLAGS], [
  for tr_flag in $2; do
    AS_VAR_PUSHDEF([tr_cache], [tr_cv_cflag_$tr_flag])
    AC_CACHE_CHECK([whether $CC takes $tr_flag], [tr_cache], [
      tr_saved_CFLAGS=$CFLAGS
      CFLAGS="$CFLAGS -Werror $tr_flag"
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
        [AS_VAR_SET([tr_cache], [yes])], [AS_VAR_SET([tr_cache], [no])])
      CFLAGS=$tr_saved_CFLAGS])
    AS_VAR_IF([tr_cache], [yes], [$1="$$1 $tr_flag"])
    AS_VAR_POPDEF([tr_cache])
  done
])

dnl TR_CHECK_ATOMICS: stops unless C11 atomics of 8 bytes are lock-free without a library.
AC_DEFUN([TR_CHECK_ATOMICS], [
  AC_CACHE_CHECK([for lock-free C11 atomics of 8 bytes], [tr_cv_atomics], [
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[
      #include <stdatomic.h>
      _Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "");
      static atomic_llong n;
      ]], [[return (int)atomic_fetch_add(&n, 1);]])],
      [tr_cv_atomics=yes], [tr_cv_atomics=no])])
  AS_IF([test "$tr_cv_atomics" = no],
    [AC_MSG_ERROR([troupe needs C11 atomics of 8 bytes that are lock-free])])
])

dnl TR_ARG_SANITIZER: --enable-sanitizer=LIST. Sets TR_SAN (flags to compile and to link with) and
dnl tr_sanitizer. -O and the like stay the user's.
AC_DEFUN([TR_ARG_SANITIZER], [
  AC_ARG_ENABLE([sanitizer],
    [AS_HELP_STRING([--enable-sanitizer=LIST], [address,undefined or thread])],
    [tr_sanitizer=$enableval], [tr_sanitizer=no])
  TR_SAN=
  AS_CASE([$tr_sanitizer],
    [no], [],
    [yes], [AC_MSG_ERROR([--enable-sanitizer needs a list: address,undefined or thread])],
    [TR_SAN="-fsanitize=$tr_sanitizer -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
     tr_saved_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS $TR_SAN"
     AC_MSG_CHECKING([whether $CC can build with -fsanitize=$tr_sanitizer])
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
       [AC_MSG_RESULT([no])
        AC_MSG_ERROR([$CC cannot build with -fsanitize=$tr_sanitizer])])
     CFLAGS=$tr_saved_CFLAGS])
  AC_SUBST([TR_SAN])
  AM_CONDITIONAL([SANITIZE_THREAD], [test "$tr_sanitizer" = thread])
])
