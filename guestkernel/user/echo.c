/* echo.c - answers each line from the console until the input ends. */
#include "user/lib/user.h"

int main(const char *args)
{
    char line[100];
    int  len, lines = 0;

    (void)args;
    say("say something");
    while ((len = read(line, sizeof(line) - 1)) > 0) {
        line[line[len - 1] == '\n' ? len - 1 : len] = '\0';
        say("you said: %s", line);
        lines++;
    }
    say("%d lines", lines);
    return 0;
}
