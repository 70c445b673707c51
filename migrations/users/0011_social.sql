CREATE TABLE `social_accounts` (
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`provider` text NOT NULL,
	`user_id` text NOT NULL,
	`email` text,
	`sealed_refresh_token` text,
	`seal_key_id` text,
	`client_id` text,
	`linked_by` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`issuer`, `subject`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `social_accounts_user` ON `social_accounts` (`user_id`,`provider`);--> statement-breakpoint
CREATE TABLE `social_proofs` (
	`proof_hash` text PRIMARY KEY NOT NULL,
	`sealed_identity` text,
	`flow_hash` text,
	`code_challenge` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_by` text,
	`used_at` integer,
	`is_burned` integer NOT NULL,
	`session_id` text
);
--> statement-breakpoint
CREATE INDEX `social_proofs_expiry` ON `social_proofs` (`expires_at`);--> statement-breakpoint
CREATE TABLE `social_states` (
	`state_hash` text PRIMARY KEY NOT NULL,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `social_states_expiry` ON `social_states` (`expires_at`);