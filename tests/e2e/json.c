/* Checks the JSON on its standard input, and prints what a path in it leads to:
 *
 *   json                    the document is well formed, no key comes twice
 *   json points.0.candidate a string or number, on a line of its own
 *   json points.#           how many there are
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *step(const json_t *at, const char *word)
{
	return json_is_array(at) ? json_array_get(at, (size_t)atol(word))
				 : json_object_get(at, word);
}

static int print_value(const json_t *v)
{
	if (json_is_string(v))
		puts(json_string_value(v));
	else if (json_is_integer(v))
		printf("%lld\n", (long long)json_integer_value(v));
	else if (json_is_real(v))
		printf("%.12g\n", json_real_value(v));
	else if (json_is_boolean(v))
		puts(json_is_true(v) ? "true" : "false");
	else
		return 1;
	return 0;
}

static int follow(const json_t *at, char *path)
{
	for (char *word = strtok(path, "."); at && word; word = strtok(NULL, ".")) {
		if (strcmp(word, "#") == 0) {
			printf("%zu\n", json_array_size(at) + json_object_size(at));
			return 0;
		}
		at = step(at, word);
	}
	return at ? print_value(at) : 1;
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *root = json_loadf(stdin, JSON_REJECT_DUPLICATES, &error);
	int code = 0;

	if (!root) {
		fprintf(stderr, "%d:%d: %s\n", error.line, error.column, error.text);
		return 1;
	}
	if (argc > 1) {
		code = follow(root, argv[1]);
		if (code)
			fprintf(stderr, "there is no value at that path\n");
	}
	json_decref(root);
	return code;
}
