CREATE TABLE `deleted_accounts` (
	`user_id` text PRIMARY KEY NOT NULL,
	`deleted_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `deleted_accounts_time` ON `deleted_accounts` (`deleted_at`);--> statement-breakpoint
CREATE TABLE `search_entries` (
	`sort_key` integer PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`version` integer NOT NULL,
	`text` text NOT NULL,
	`phone_number` text NOT NULL,
	`status_bucket` integer NOT NULL,
	`written_by` text NOT NULL,
	`removed_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `search_entries_user` ON `search_entries` (`user_id`);--> statement-breakpoint
CREATE INDEX `search_entries_removed` ON `search_entries` (`removed_at`) WHERE removed_at is not null;
--> statement-breakpoint
CREATE VIRTUAL TABLE user_search USING fts5(text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram');
