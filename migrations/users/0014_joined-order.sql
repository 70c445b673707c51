DROP INDEX `users_joined`;--> statement-breakpoint
CREATE INDEX `users_joined` ON `users` (`date_joined`);