/* strike FOLDER SIGNAL: sends the signal to an image that runs from FOLDER (FOLDER/x.img), as
 * soon as there is one, and prints its number; exit code 1 after some seconds without. Images of small
 * networks run for milliseconds: a search by a shell comes too late.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_image(const char *pid, const char *folder)
{
	char link[300], exe[4096];
	size_t n = strlen(folder);
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%.200s/exe", pid);
	len = readlink(link, exe, sizeof(exe) - 1);
	if (len < 5)
		return 0;
	exe[len] = '\0';
	return strncmp(exe, folder, n) == 0 && exe[n] == '/' &&
	       strcmp(exe + len - 4, ".img") == 0;
}

static int strike(const char *folder, int sig)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int pid = 0;

	while (proc && !pid && (e = readdir(proc)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
			is_image(e->d_name, folder) && kill(atoi(e->d_name), sig) == 0)
			pid = atoi(e->d_name);
	if (proc)
		closedir(proc);
	return pid;
}

int main(int argc, char **argv)
{
	const struct timespec pause = {0, 1000000};

	if (argc != 3)
		return 2;
	for (int i = 0; i < 2000; i++) {
		int pid = strike(argv[1], atoi(argv[2]));

		if (pid) {
			printf("%d\n", pid);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return 1;
}
