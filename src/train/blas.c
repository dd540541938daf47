#include <stdio.h>
#include <string.h>

#include <cblas.h>

#include "src/train/real.h"
#include "src/train/train.h"

void blas_init(void)
{
	openblas_set_num_threads(1);
}

const char *train_blas_description(void)
{
	static char text[128];
	char config[256];
	int n = 0;

	snprintf(config, sizeof(config), "%s", openblas_get_config());
	/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": name and version are enough. */
	for (char *p = config; *p; p++)
		if (*p == ' ' && ++n == 2)
			*p = '\0';
	if (!text[0])
		snprintf(text, sizeof(text), "%.60s, core %.40s", config, openblas_get_corename());
	return text;
}
