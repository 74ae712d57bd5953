/* SPDX-License-Identifier: MIT */
/* trweb_pages.h - the two pages that trweb has, built in. */
#ifndef TRWEB_PAGES_H
#define TRWEB_PAGES_H

#define HELLO_HTML                                                                             \
    "<!DOCTYPE html>\n"                                                                        \
    "<html lang=\"en\">\n"                                                                     \
    "  <head>\n"                                                                               \
    "    <meta charset=\"utf-8\">\n"                                                           \
    "    <title>Hello!</title>\n"                                                              \
    "  </head>\n"                                                                              \
    "  <body>\n"                                                                               \
    "    <h1>Hello!</h1>\n"                                                                    \
    "    <p>Tasks say hi</p>\n"                                                                \
    "  </body>\n"                                                                              \
    "</html>\n"

#define NOT_FOUND_HTML                                                                         \
    "<!DOCTYPE html>\n"                                                                        \
    "<html lang=\"en\">\n"                                                                     \
    "  <head>\n"                                                                               \
    "    <meta charset=\"utf-8\">\n"                                                           \
    "    <title>Not here</title>\n"                                                            \
    "  </head>\n"                                                                              \
    "  <body>\n"                                                                               \
    "    <h1>Not here</h1>\n"                                                                  \
    "    <p>trweb knows / and /sleep, nothing else.</p>\n"                                     \
    "  </body>\n"                                                                              \
    "</html>\n"

/* What clients of the async-book's server count on. */
_Static_assert(sizeof HELLO_HTML - 1 == 176, "the page of / is 176 bytes");

#endif /* TRWEB_PAGES_H */
