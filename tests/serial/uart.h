/* A board at the end of a pseudo-terminal that is as slow as a serial line: the agent's state
 * machine with the simulated device behind it, frames and window as microcontrollers have them.
 */
#ifndef HAWSER_TESTS_SERIAL_UART_H
#define HAWSER_TESTS_SERIAL_UART_H

#include <stdint.h>

struct uart_board;

/* Bytes pass at bytes_per_s in each direction at once. NULL where there is no
 * pseudo-terminal. *path is the line, valid until the end. */
struct uart_board *uart_board_start(double bytes_per_s, const char **path);
void uart_board_end(struct uart_board *b);

#endif
