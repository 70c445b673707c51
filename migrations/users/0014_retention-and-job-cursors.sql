CREATE TABLE `job_cursors` (
	`name` text PRIMARY KEY NOT NULL,
	`cursor` text NOT NULL
);
--> statement-breakpoint
DROP INDEX `notifications_unread`;--> statement-breakpoint
DROP INDEX `kyc_documents_sweep`;--> statement-breakpoint
CREATE INDEX `kyc_documents_sweep` ON `kyc_documents` (`state`,`created_at`) WHERE state <> 'live';--> statement-breakpoint
DROP INDEX `sessions_expiry`;--> statement-breakpoint
CREATE INDEX `sessions_expiry` ON `sessions` (`absolute_expires_at`) WHERE revoked_at is null;--> statement-breakpoint
ALTER TABLE `profiles` ADD `reminder_held_until` integer;--> statement-breakpoint
ALTER TABLE `users` ADD `unread_notifications` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `job_runs_finished` ON `job_runs` (`finished_at`) WHERE finished_at is not null;--> statement-breakpoint
CREATE INDEX `outbox_erased` ON `outbox` (`created_at`) WHERE sent_at is null and payload is null;
--> statement-breakpoint
UPDATE users SET unread_notifications = (SELECT count(*) FROM notifications n WHERE n.user_id = users.id AND n.read_at IS NULL)
  WHERE id IN (SELECT user_id FROM notifications WHERE read_at IS NULL);
--> statement-breakpoint
DELETE FROM outbox WHERE type = 'session.ended';
--> statement-breakpoint
CREATE TRIGGER notifications_unread_insert AFTER INSERT ON notifications WHEN new.read_at IS NULL BEGIN
  UPDATE users SET unread_notifications = unread_notifications + 1 WHERE id = new.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_update AFTER UPDATE OF read_at ON notifications
WHEN (old.read_at IS NULL) <> (new.read_at IS NULL) BEGIN
  UPDATE users SET unread_notifications = unread_notifications + CASE WHEN new.read_at IS NULL THEN 1 ELSE -1 END
    WHERE id = new.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_delete AFTER DELETE ON notifications WHEN old.read_at IS NULL BEGIN
  UPDATE users SET unread_notifications = unread_notifications - 1 WHERE id = old.user_id;
END;
