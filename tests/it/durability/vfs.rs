//! A SQLite VFS that tells a [`Disk`] of every write, and stops when its power is gone.
//!
//! It wraps the default VFS: locks, shared memory and reads are the real ones, so several
//! connections work on it as on a file system. Real syncs are left out; the [`Disk`] decides
//! what they would have kept.
#![allow(
    unsafe_code,
    reason = "a VFS is a table of C functions; there is no safe way to give SQLite one"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::size_of;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

use super::disk::{Disk, PowerLost};

/// Files that must survive. Others (temporary ones) are nobody's.
const DURABLE: c_int =
    ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL;

/// Calls a method of the real file.
macro_rules! pass {
    ($file:ident, $method:ident($($argument:ident),*)) => {{
        let real = real($file);
        match (*real).pMethods.as_ref().and_then(|methods| methods.$method) {
            Some(method) => method(real $(, $argument)*),
            None => ffi::SQLITE_ERROR,
        }
    }};
}

/// What a registered VFS's functions find behind `pAppData`.
struct Shared {
    disk: Arc<Mutex<Disk>>,
    real: *mut ffi::sqlite3_vfs,
}

/// A registered VFS. It must outlive every connection that was opened with it.
pub(super) struct PowerVfs {
    name: CString,
    vfs: Box<ffi::sqlite3_vfs>,
    _shared: Box<Shared>,
}

impl PowerVfs {
    /// Registers a VFS over `disk` under a name of its own.
    pub(super) fn register(disk: Arc<Mutex<Disk>>) -> PowerVfs {
        static REGISTERED: AtomicU64 = AtomicU64::new(0);
        let number = REGISTERED.fetch_add(1, Ordering::Relaxed);
        let name = CString::new(format!("power{number}")).unwrap();
        // SAFETY: a null name asks for the default VFS, which lives as long as the process.
        let real = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        assert!(!real.is_null(), "SQLite has a default VFS");
        let shared = Box::new(Shared { disk, real });
        // SAFETY: `real` is valid. Its functions that are kept ignore `pAppData`.
        let mut vfs = Box::new(unsafe { *real });
        vfs.pNext = ptr::null_mut();
        vfs.zName = name.as_ptr();
        vfs.pAppData = ptr::from_ref(&*shared).cast_mut().cast();
        vfs.szOsFile += size_of::<File>() as c_int;
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        // SAFETY: `vfs`, its name and `shared` stay where they are until it is unregistered.
        let registered = unsafe { ffi::sqlite3_vfs_register(&raw mut *vfs, 0) };
        assert_eq!(registered, ffi::SQLITE_OK);
        PowerVfs {
            name,
            vfs,
            _shared: shared,
        }
    }

    /// For [`SqliteOptions::vfs`](syncline_storage::sqlite::SqliteOptions).
    pub(super) fn name(&self) -> String {
        self.name.to_str().unwrap().to_owned()
    }
}

impl Drop for PowerVfs {
    fn drop(&mut self) {
        // SAFETY: it was registered, and no connection uses it any more.
        unsafe { ffi::sqlite3_vfs_unregister(&raw mut *self.vfs) };
    }
}

/// An open file; the real one follows it in memory.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    shared: *const Shared,
    /// Boxed name in the directory; null for files that are not [`DURABLE`].
    name: *mut String,
}

impl File {
    /// SAFETY: `file` was opened by [`open`].
    unsafe fn of<'a>(file: *mut ffi::sqlite3_file) -> &'a File {
        unsafe { &*file.cast::<File>() }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        // SAFETY: the VFS outlives its files.
        lock(unsafe { &(*self.shared).disk })
    }

    fn name(&self) -> Option<&str> {
        // SAFETY: null or boxed by `open`, and freed by `close` only.
        unsafe { self.name.as_ref() }.map(String::as_str)
    }

    /// Tells the disk, if it is a file the disk keeps.
    fn tell(&self, tell: impl FnOnce(&mut Disk, &str) -> Result<(), PowerLost>) -> bool {
        let mut disk = self.disk();
        match self.name() {
            Some(name) => tell(&mut disk, name).is_ok(),
            None => disk.has_power().is_ok(),
        }
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// SAFETY: `file` was opened by [`open`], which left room behind it for the real one.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    unsafe { file.cast::<File>().add(1).cast() }
}

/// SAFETY: `vfs` was registered by [`PowerVfs::register`].
unsafe fn shared<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Shared {
    unsafe { &*(*vfs).pAppData.cast::<Shared>() }
}

/// SAFETY: `path` is null or a C string.
unsafe fn file_name(path: *const c_char) -> Option<String> {
    if path.is_null() {
        return None;
    }
    let path = unsafe { CStr::from_ptr(path) }.to_str().ok()?;
    Some(Path::new(path).file_name()?.to_str()?.to_owned())
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls with a VFS it was given and `szOsFile` bytes at `file`.
    unsafe {
        let shared = shared(vfs);
        // SQLite closes only what has methods.
        (*file).pMethods = ptr::null();
        if lock(&shared.disk).has_power().is_err() {
            return ffi::SQLITE_CANTOPEN;
        }
        let opened = match (*shared.real).xOpen {
            Some(open) => open(shared.real, path, real(file), flags, out_flags),
            None => ffi::SQLITE_ERROR,
        };
        if opened != ffi::SQLITE_OK {
            return opened;
        }
        let name = file_name(path).filter(|_| flags & DURABLE != 0);
        if let Some(name) = &name {
            lock(&shared.disk).open(name);
        }
        let name = name.map_or(ptr::null_mut(), |name| Box::into_raw(Box::new(name)));
        let shared = ptr::from_ref(shared);
        file.cast::<File>().write(File {
            base: ffi::sqlite3_file {
                pMethods: &raw const METHODS,
            },
            shared,
            name,
        });
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    sync_dir: c_int,
) -> c_int {
    // SAFETY: SQLite calls with a VFS it was given and a path.
    unsafe {
        let shared = shared(vfs);
        let name = file_name(path).unwrap_or_default();
        if lock(&shared.disk).delete(&name, sync_dir != 0).is_err() {
            return ffi::SQLITE_IOERR_DELETE;
        }
        match (*shared.real).xDelete {
            Some(delete) => delete(shared.real, path, 0),
            None => ffi::SQLITE_ERROR,
        }
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once, after everything else.
    unsafe {
        let name = File::of(file).name;
        if !name.is_null() {
            drop(Box::from_raw(name));
        }
        let real = real(file);
        match (*real).pMethods.as_ref().and_then(|methods| methods.xClose) {
            Some(close) => close(real),
            None => ffi::SQLITE_OK,
        }
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: i64,
) -> c_int {
    // SAFETY: SQLite gives `count` bytes.
    let written = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize) };
    let tell = |disk: &mut Disk, name: &str| disk.write(name, at as usize, written);
    // SAFETY: an open file of ours.
    unsafe {
        if !File::of(file).tell(tell) {
            return ffi::SQLITE_IOERR_WRITE;
        }
        pass!(file, xWrite(bytes, count, at))
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    // SAFETY: an open file of ours.
    unsafe {
        if !File::of(file).tell(|disk, name| disk.truncate(name, len as usize)) {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        pass!(file, xTruncate(len))
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file of ours.
    match unsafe { File::of(file) }.tell(Disk::sync) {
        true => ffi::SQLITE_OK,
        false => ffi::SQLITE_IOERR_FSYNC,
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    count: c_int,
    at: i64,
) -> c_int {
    // SAFETY: an open file of ours.
    unsafe {
        if File::of(file).disk().has_power().is_err() {
            return ffi::SQLITE_IOERR_READ;
        }
        pass!(file, xRead(into, count, at))
    }
}

unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    // No more than a plain disk promises.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

/// Methods that only call the real ones.
macro_rules! passing {
    ($($name:ident = $method:ident($($argument:ident: $type:ty),*);)*) => {
        $(unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: an open file of ours, and arguments as SQLite gives them.
            unsafe { pass!(file, $method($($argument),*)) }
        })*
    };
}

passing! {
    file_size = xFileSize(size: *mut i64);
    lock_file = xLock(level: c_int);
    unlock_file = xUnlock(level: c_int);
    check_reserved_lock = xCheckReservedLock(reserved: *mut c_int);
    file_control = xFileControl(operation: c_int, argument: *mut c_void);
    sector_size = xSectorSize();
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, mapped: *mut *mut c_void);
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int);
    shm_unmap = xShmUnmap(delete: c_int);
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: an open file of ours.
    unsafe {
        let real = real(file);
        if let Some(barrier) = (*real)
            .pMethods
            .as_ref()
            .and_then(|methods| methods.xShmBarrier)
        {
            barrier(real);
        }
    }
}

/// Version 2: shared memory, no memory-mapped reads.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock_file),
    xUnlock: Some(unlock_file),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
