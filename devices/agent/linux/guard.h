/* `hawser-agent --guard SOCKET PROGRAM WORD...`: an emulator on the carrier's line. The program
 * has the line as its standard input and output; it is killed when the line ends, however
 * the controller came to its end, since emulators do not notice by themselves. SOCKET, where it
 * listens for a debugger, is removed then with the folder that holds it alone; "": there is none.
 */
#ifndef HAWSER_DEVICES_AGENT_LINUX_GUARD_H
#define HAWSER_DEVICES_AGENT_LINUX_GUARD_H

/* Returns the exit code for this process; argv[0] is the program, found on PATH. */
int guard(const char *socket, char *const argv[]);

#endif
