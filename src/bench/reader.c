/*
 * What reading tracefs text costs without a runtime: the native limit that modlife is measured against.
 *
 *   reader FILE            per module: its name, gets and puts; then how many references in all
 *   reader --follow FILE   prints a word as soon as a refused delete_module is written to FILE
 *
 * It reads of each record that is ours what modlife reads: task, CPU, flags, time, event, module, call site and
 * refcnt. It keeps no ledger and passes no judgement.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define COMM 16
#define CHUNK (1 << 17)
#define BUCKETS (1 << 16)

struct module {
	struct module *next;
	uint64_t gets, puts;
	size_t length;
	char name[];
};

static struct module *modules[BUCKETS];
/* Summed, so that no compiler leaves out the work. */
static uint64_t checksum;

static uint64_t hash(const char *text, size_t length)
{
	uint64_t value = 14695981039346656037ull;
	while (length--)
		value = (value ^ (unsigned char)*text++) * 1099511628211ull;
	return value;
}

static struct module *module_named(const char *name, size_t length)
{
	struct module **bucket = &modules[hash(name, length) % BUCKETS];
	for (struct module *found = *bucket; found; found = found->next)
		if (found->length == length && memcmp(found->name, name, length) == 0)
			return found;
	struct module *made = calloc(1, sizeof(*made) + length);
	if (!made)
		exit(2);
	made->length = length;
	memcpy(made->name, name, length);
	made->next = *bucket;
	return *bucket = made;
}

static const char *number(const char *at, const char *end, uint64_t *value)
{
	*value = 0;
	while (at < end && *at >= '0' && *at <= '9')
		*value = *value * 10 + (*at++ - '0');
	return at;
}

static const char *spaces(const char *at, const char *end)
{
	while (at < end && *at == ' ')
		at++;
	return at;
}

static int begins(const char *at, const char *end, const char *with)
{
	size_t length = strlen(with);
	return (size_t)(end - at) >= length && memcmp(at, with, length) == 0;
}

/* The body of a record, or NULL where the line is none. */
static const char *header(const char *line, const char *end)
{
	uint64_t pid, cpu, seconds, fraction;
	if (end - line < COMM + 20 || line[COMM] != '-')
		return NULL;
	const char *at = spaces(number(line + COMM + 1, end, &pid), end);
	if (at == end || *at != '[')
		return NULL;
	at = number(at + 1, end, &cpu);
	if (at == end || *at != ']')
		return NULL;
	const char *flags = spaces(at + 1, end);
	at = flags;
	while (at < end && *at != ' ')
		at++;
	at = number(spaces(at, end), end, &seconds);
	if (at == end || *at != '.')
		return NULL;
	at = number(at + 1, end, &fraction);
	if (end - at < 2 || at[0] != ':')
		return NULL;
	checksum += pid + cpu + flags[2] + seconds * 1000000 + fraction;
	return at + 2;
}

static void read_line(const char *line, const char *end)
{
	const char *body = header(line, end);
	if (!body)
		return;
	int get = begins(body, end, "module_get: ");
	if (!get && !begins(body, end, "module_put: "))
		return;
	const char *name = body + strlen("module_get: ");
	const char *name_end = memchr(name, ' ', end - name);
	if (!name_end || !begins(name_end, end, " call_site="))
		return;
	const char *site = name_end + strlen(" call_site=");
	/* The site may name its module after a space: `dm_create [dm_mod]`. */
	const char *site_end = end;
	while (site_end > site && site_end[-1] != ' ')
		site_end--;
	if (!begins(--site_end, end, " refcnt="))
		return;
	uint64_t refcnt;
	number(site_end + strlen(" refcnt="), end, &refcnt);
	checksum += hash(line, COMM) + hash(site, site_end - site) + refcnt;
	struct module *module = module_named(name, name_end - name);
	if (get)
		module->gets++;
	else
		module->puts++;
}

static void follow_line(const char *line, const char *end)
{
	const char *body = header(line, end);
	if (body && begins(body, end, "sys_delete_module -> 0xf")) {
		puts("refused");
		fflush(stdout);
	}
}

/* Lines are cut where they lie; only one that ends beyond the buffer is moved. Returns at the end of the file. */
static void drain(int file, void (*line)(const char *, const char *))
{
	static char buffer[2 * CHUNK];
	static size_t kept;
	ssize_t got;
	while ((got = read(file, buffer + kept, CHUNK)) > 0) {
		char *start = buffer, *end = buffer + kept + got, *newline;
		while ((newline = memchr(start, '\n', end - start))) {
			line(start, newline);
			start = newline + 1;
		}
		kept = end - start;
		if (kept > CHUNK)
			kept = 0;
		memmove(buffer, start, kept);
	}
}

static int follow(const char *path, int file)
{
	char notice[4096];
	int notices = inotify_init();
	if (notices < 0 || inotify_add_watch(notices, path, IN_MODIFY) < 0)
		return 2;
	do
		drain(file, follow_line);
	while (read(notices, notice, sizeof(notice)) > 0);
	return 0;
}

int main(int argc, char **argv)
{
	int following = argc == 3 && strcmp(argv[1], "--follow") == 0;
	int file = argc == 2 || following ? open(argv[argc - 1], O_RDONLY) : -1;
	if (file < 0) {
		fputs("usage: reader [--follow] FILE\n", stderr);
		return 2;
	}
	if (following)
		return follow(argv[2], file);
	drain(file, read_line);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct module *module = modules[i]; module; module = module->next)
			printf("%.*s %lu %lu\n", (int)module->length, module->name, module->gets, module->puts);
	fprintf(stderr, "checksum %lx\n", checksum);
	return 0;
}
