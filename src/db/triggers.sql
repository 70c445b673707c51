INSERT INTO `user_counts` (`id`, `by_status_bucket`, `recount`, `recounted_to`) VALUES (1, '[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]', null, null);
--> statement-breakpoint
CREATE TRIGGER kyc_status_delete AFTER DELETE ON kyc BEGIN
  UPDATE users SET kyc_status = 'NOT_SUBMITTED' WHERE id = old.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER kyc_status_insert AFTER INSERT ON kyc BEGIN
  UPDATE users SET kyc_status = new.status WHERE id = new.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER kyc_status_update AFTER UPDATE OF status ON kyc WHEN old.status <> new.status BEGIN
  UPDATE users SET kyc_status = new.status WHERE id = new.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_delete AFTER DELETE ON notifications WHEN old.read_at IS NULL BEGIN
  UPDATE users SET unread_notifications = unread_notifications - 1
    WHERE id = old.user_id AND (notifications_read_through IS NULL OR notifications_read_through < old.id);
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_insert AFTER INSERT ON notifications WHEN new.read_at IS NULL BEGIN
  UPDATE users SET unread_notifications = unread_notifications + 1
    WHERE id = new.user_id AND (notifications_read_through IS NULL OR notifications_read_through < new.id);
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_update AFTER UPDATE OF read_at ON notifications
WHEN (old.read_at IS NULL) <> (new.read_at IS NULL) BEGIN
  UPDATE users SET unread_notifications = unread_notifications + CASE WHEN new.read_at IS NULL THEN 1 ELSE -1 END
    WHERE id = new.user_id AND (notifications_read_through IS NULL OR notifications_read_through < new.id);
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_delete AFTER DELETE ON users BEGIN
  UPDATE user_counts SET by_status_bucket = json_set(by_status_bucket, '$[' || old.status_bucket || ']', (by_status_bucket ->> old.status_bucket) - 1),
    recount = CASE WHEN recounted_to >= old.id
      THEN json_set(recount, '$[' || old.status_bucket || ']', (recount ->> old.status_bucket) - 1) ELSE recount END;
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_insert AFTER INSERT ON users BEGIN
  UPDATE user_counts SET by_status_bucket = json_set(by_status_bucket, '$[' || new.status_bucket || ']', (by_status_bucket ->> new.status_bucket) + 1),
    recount = CASE WHEN recounted_to >= new.id
      THEN json_set(recount, '$[' || new.status_bucket || ']', (recount ->> new.status_bucket) + 1) ELSE recount END;
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_update AFTER UPDATE OF status, kyc_status, email_verified, phone_verified ON users
WHEN old.status_bucket <> new.status_bucket BEGIN
  UPDATE user_counts SET by_status_bucket = json_set(by_status_bucket, '$[' || old.status_bucket || ']', (by_status_bucket ->> old.status_bucket) - 1,
      '$[' || new.status_bucket || ']', (by_status_bucket ->> new.status_bucket) + 1),
    recount = CASE WHEN recounted_to >= new.id
      THEN json_set(recount, '$[' || old.status_bucket || ']', (recount ->> old.status_bucket) - 1,
        '$[' || new.status_bucket || ']', (recount ->> new.status_bucket) + 1) ELSE recount END;
END;
