package main

import (
	"flag"
	"io"
	"log/slog"
)

// logFlags are how a router logs.
type logFlags struct {
	level, format *string
}

func newLogFlags(flags *flag.FlagSet) logFlags {
	return logFlags{
		level:  flags.String("log-level", "info", "least `level` that is logged: debug, info, warn or error"),
		format: flags.String("log-format", "text", "`format` of log lines: text or json"),
	}
}

// logger logs to w.
func (f logFlags) logger(command string, w io.Writer) (*slog.Logger, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[*f.level]
	if !ok {
		return nil, usagef("router "+command+" -h", "%s: -log-level %q is none of debug, info, warn, error", command, *f.level)
	}
	options := &slog.HandlerOptions{Level: level}
	switch *f.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, usagef("router "+command+" -h", "%s: -log-format %q is neither text nor json", command, *f.format)
}
