CREATE TABLE `provider_breakers` (
	`provider` text PRIMARY KEY NOT NULL,
	`failures` integer NOT NULL,
	`opened_until` integer,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `deliveries` ADD `undeliverable_at` integer;