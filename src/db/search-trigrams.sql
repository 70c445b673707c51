CREATE VIRTUAL TABLE user_search USING fts5(text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram');
