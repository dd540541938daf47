#include <pthread.h>
#include <stdio.h>

#include <cblas.h>

#include "src/train/real.h"
#include "src/train/train.h"

void blas_init(void)
{
	openblas_set_num_threads(1);
}

static char description[128];

/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": name and version are enough. */
static void describe(void)
{
	char config[64];
	int n = 0;

	snprintf(config, sizeof(config), "%.63s", openblas_get_config());
	for (char *p = config; *p; p++)
		if (*p == ' ' && ++n == 2)
			*p = '\0';
	snprintf(description, sizeof(description), "%s, core %.40s", config,
		openblas_get_corename());
}

const char *train_blas_description(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, describe);
	return description;
}
