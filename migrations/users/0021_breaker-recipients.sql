ALTER TABLE `provider_breakers` ADD `failed_recipients` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE `provider_breakers` ADD `probed_by` text;