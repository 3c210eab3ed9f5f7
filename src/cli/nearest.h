/* cli/nearest.h - what a misspelt word was meant to be. Pure. */
#pragma once

/* A command's first word, or a kind's plural, that differs from 'word' in no more than a third of
 * its letters and is the nearest; static, or NULL. */
const char *nearest_command(const char *word);
const char *nearest_kind(const char *word);
