import { app, table } from "./app";
import { choice, flag, maybe, moment, number, reference, text, whole } from "./fields";

export const mukke = app("mukke", {
  songs: table(
    {
      title: text,
      artist: maybe(text),
      album: maybe(text),
      genre: maybe(text),
      /** In seconds. */
      length: number,
      beatsPerMinute: maybe(number),
      plays: whole,
      isFavorite: flag,
      lastPlayedAt: maybe(moment),
    },
    ["artist", "album"],
  ),
  playlists: table({ name: text, description: maybe(text), cover: maybe(text) }),
  playlistSongs: table(
    { playlist: reference("playlists"), song: reference("songs"), order: number },
    ["playlist"],
  ),
  projects: table({
    title: text,
    song: maybe(reference("songs")),
    lyrics: maybe(text),
    state: choice("idea", "draft", "done"),
  }),
  markers: table(
    {
      project: reference("projects"),
      kind: choice("verse", "chorus", "bridge", "intro", "outro", "note"),
      label: maybe(text),
      /** Seconds from the beginning. */
      begin: number,
      end: maybe(number),
    },
    ["project"],
  ),
});
