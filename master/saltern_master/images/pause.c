/*
 * pause: the first process of a pod, which holds its namespaces.
 *
 * It sleeps until SIGTERM or SIGINT, then exits with 0, and takes in every process of
 * the pod that lost its parent. Signals are blocked and waited for: the kernel drops an
 * unhandled signal to the first process of a pid namespace, but never a blocked one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void)
{
	sigset_t waited;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &waited, NULL) < 0) {
		perror("pause: cannot block signals");
		return EXIT_FAILURE;
	}
	for (;;) {
		int got = sigwaitinfo(&waited, NULL);

		if (got == SIGTERM || got == SIGINT)
			return EXIT_SUCCESS;
		if (got < 0 && errno != EINTR) {
			perror("pause: cannot wait for signals");
			return EXIT_FAILURE;
		}
		/* One SIGCHLD may stand for many: take in all that are there. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	}
}
